import { describe, expect, it } from "vitest";
import { append, column, fromColumns, mean, measured, type Series } from "./series";

const at = (time: number, value: number) => ({ time, values: { a: value } });

describe("a series", () => {
  it("keeps the newest hour and ignores what is not new", () => {
    let series: Series = [];
    for (let time = 0; time <= 100; time += 5) series = append(series, at(time, time), 5, 50);
    expect(series[0]?.time).toBe(55);
    expect(append(series, at(100, 7), 5, 50)).toBe(series);
  });

  it("has a hole where nothing was measured", () => {
    const series = append([at(0, 1)], at(60, 2), 5, 3600);
    expect(column(series, "a")).toEqual([1, null, 2]);
    expect(series[1]?.time).toBe(5);
  });

  it("reads the server's columns, nulls included", () => {
    const series = fromColumns({
      span: "hour",
      step_s: 5,
      times: [1, 2],
      series: { a: [1, null], b: [null, 0] },
    });
    expect(column(series, "a")).toEqual([1, null]);
    expect(column(series, "b")).toEqual([null, 0]);
  });

  it("takes numbers only, unknown stays unknown", () => {
    const rates = { publish_received: 2, publish_sent: null } as never;
    const sample = measured(1, { version: "x 2.0", uptime: 5, retained: null } as never, rates);
    expect(sample.values).toEqual({ uptime: 5, rate_publish_received: 2 });
  });

  it("means over the newest seconds only", () => {
    expect(mean([at(0, 100), at(60, 2), at(65, 4)], "a", 30)).toBe(3);
    expect(mean([at(0, 100)], "b", 30)).toBeNull();
    expect(mean([], "a", 30)).toBeNull();
  });
});
