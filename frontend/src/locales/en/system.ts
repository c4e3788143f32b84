export const system = { title: "system" } as const;
