import { describe, expect, it } from "vitest";
import type { MessageReceived } from "@/contract/types";
import { useCondition } from "./condition";

const message = (qos: number) => ({ topic: "a", payload: "", qos }) as MessageReceived;

describe("the condition", () => {
  it("decides with the last one that could be understood", () => {
    const { set, passes, applied, expression } = useCondition();
    set("qos = 1");
    expect([passes(message(1)), passes(message(0))]).toEqual([true, false]);
    set("qos = 1 and payload.temp >");
    expect(expression.value?.ok).toBe(false);
    expect(applied.value).toBe("qos = 1");
    expect([passes(message(1)), passes(message(0))]).toEqual([true, false]);
    set("qos = 0");
    expect([passes(message(1)), passes(message(0))]).toEqual([false, true]);
  });

  it("lets everything pass when there is none, or was none before a broken one", () => {
    const { set, passes, applied } = useCondition();
    set("qos >");
    expect([applied.value, passes(message(1))]).toEqual(["", true]);
    set("qos = 0");
    set("  ");
    expect([applied.value, passes(message(1))]).toEqual(["", true]);
  });
});
