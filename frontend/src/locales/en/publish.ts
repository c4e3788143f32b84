export const publish = { title: "publish" } as const;
