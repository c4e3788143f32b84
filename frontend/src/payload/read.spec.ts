import { gzipSync, deflateSync } from "node:zlib";
import { encode as encodeMsgpack, ExtData } from "@msgpack/msgpack";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { encode as encodeCbor } from "cborg";
import { describe, expect, it } from "vitest";
import { MAX_INFLATED } from "./inflate";
import { read } from "./read";
import { shownText } from "./shown";
import { at, Tagged, toText } from "./value";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const kindsOf = async (payload: Uint8Array, topic = "a/b", contentType?: string) =>
  (await read(payload, { topic, contentType })).kinds;

describe("text payloads", () => {
  it.each([
    ['{"a":1}', "json"],
    ["  [1, 2]\n", "json"],
    ["21.5", "number"],
    [" -4e3 ", "number"],
    ["1.2.3", "text"],
    ["{oops", "text"],
    ["true", "text"],
    ["<b>on</b>", "text"],
  ])("%j is %s", async (text, kind) => {
    expect((await kindsOf(bytes(text)))[0]).toBe(kind);
  });

  it("keep whole numbers of any length", async () => {
    const found = await read(bytes('{"id":12345678901234567890,"x":{"y":[1.5]}}'), { topic: "a" });
    expect(toText(found.values.json, false)).toBe('{"id":12345678901234567890,"x":{"y":[1.5]}}');
    expect(at(found.values.json, ["x", "y", 0])).toBe(1.5);
  });

  it("survive keys that are special to JavaScript", async () => {
    for (const text of ['{"__proto__":{"a":1}}', '{"__proto__":12345678901234567890}']) {
      const found = await read(bytes(text), { topic: "a" });
      expect(toText(found.values.json, false)).toBe(text);
    }
    expect(({} as Record<string, unknown>).a).toBeUndefined();
  });

  it("nested without measure do not break the page", async () => {
    const deep = "[".repeat(100_000) + "12345678901234567" + "]".repeat(100_000);
    const found = await read(bytes(deep), { topic: "a" });
    expect(found.kinds).toContain("text");
    expect(toText(found.values.json).length).toBeLessThan(20_000);
  });

  it("cannot hide or turn around what is shown", async () => {
    const found = await read(bytes("a\u202eb\u0007\u061cc"), { topic: "a" });
    expect(shownText(found, "text", 100).text).toBe("a\\u202eb\\u0007\\u061cc");
  });
});

describe("texts with control characters", () => {
  it.each(["21.5\0", "on\0\0", "\u001b[31mhot\u001b[0m", "line one\u0007 line two"])(
    "%j is a text, and they are seen",
    async (text) => {
      const found = await read(bytes(text), { topic: "a" });
      expect(found.kinds[0]).toBe("text");
      expect(shownText(found, "text", 100).text).toMatch(/\\u00/);
    },
  );
  it.each(["\u0001A", "\0", "\u0001\u0002abcdef", "\u0012".repeat(50)])(
    "%j is bytes",
    async (text) => {
      expect((await kindsOf(bytes(text)))[0]).toBe("hex");
    },
  );
});

describe("packed payloads", () => {
  it.each([
    ["gzip", gzipSync],
    ["zlib", deflateSync],
  ])("%s is unpacked and looked into", async (how, pack) => {
    const found = await read(new Uint8Array(pack('{"a":[1,2,3],"b":"text text text"}')), {
      topic: "a",
    });
    expect(found.unpacked).toMatchObject([{ how, cut: false }]);
    expect(found.kinds[0]).toBe("json");
  });

  it("that swell without end are stopped", async () => {
    const bomb = new Uint8Array(gzipSync(new Uint8Array(64 * 1024 * 1024)));
    const found = await read(bomb, { topic: "a" });
    expect(found.unpacked[0]?.cut).toBe(true);
    expect(found.bytes.length).toBe(MAX_INFLATED);
  });

  it("that end early show their beginning", async () => {
    const whole = gzipSync(Array.from({ length: 5000 }, (_, n) => `line ${n * 7919}`).join("\n"));
    const found = await read(new Uint8Array(whole.subarray(0, whole.length / 2)), { topic: "a" });
    expect(found.unpacked[0]?.cut).toBe(true);
    expect(found.text?.startsWith("line 0\nline 7919")).toBe(true);
  });

  it("in name only stay bytes", async () => {
    const found = await read(new Uint8Array([0x78, 0x9c, 1, 2, 3, 4, 5, 6, 7, 255]), {
      topic: "a",
    });
    expect(found.unpacked).toEqual([]);
    expect(found.kinds[0]).toBe("hex");
  });
});

describe("CBOR and MessagePack", () => {
  const value = { temperature: 21.5, rooms: ["north", "south"], on: true, none: null };

  it("are told apart and decoded", async () => {
    const cbor = await read(encodeCbor(value), { topic: "a" });
    expect(cbor.kinds[0]).toBe("cbor");
    expect(at(cbor.values.cbor, ["rooms", 1])).toBe("south");
    const packed = await read(encodeMsgpack(value), { topic: "a" });
    expect(packed.kinds[0]).toBe("msgpack");
    expect(at(packed.values.msgpack, ["temperature"])).toBe(21.5);
  });

  it("keep big numbers, tags and extensions", async () => {
    // {1: 2^64 - 1, "t": 32("x")}
    const cbor = [0xa2, 1, 0x1b, 255, 255, 255, 255, 255, 255, 255, 255, 0x61, 0x74, 0xd8, 32];
    const found = await read(new Uint8Array([...cbor, 0x61, 0x78]), { topic: "a" });
    expect(at(found.values.cbor, [1])).toBe(18446744073709551615n);
    expect(at(found.values.cbor, ["t"])).toEqual(new Tagged("tag 32", "x"));
    const packed = encodeMsgpack(
      { big: 9007199254740993n, ext: new ExtData(5, new Uint8Array([1])) },
      { useBigInt64: true },
    );
    const other = await read(packed, { topic: "a" });
    expect(toText(other.values.msgpack, false)).toBe(
      `{"big":9007199254740993,"ext":{"ext 5":h'01'}}`,
    );
  });

  it("that promise more than they hold are bytes", async () => {
    for (const start of [
      [0xdd, 255, 255, 255, 255, 1],
      [0x9b, 0, 255, 255, 255, 255, 255, 255, 255, 1],
      [0xbf, 0xbf, 0xbf],
    ])
      expect((await kindsOf(new Uint8Array(start)))[0]).toBe("hex");
  });

  it("nested without measure are bytes", async () => {
    const deep = new Uint8Array(200_000).fill(0x81);
    expect((await kindsOf(deep))[0]).toBe("hex");
  });
});

describe("Sparkplug B", () => {
  const topic = "spBv1.0/plant/DDATA/edge/device";
  const metric = (name: string, type: number, write: (to: BinaryWriter) => BinaryWriter) =>
    write(
      new BinaryWriter().tag(1, WireType.LengthDelimited).string(name).tag(4, 0).uint32(type),
    ).finish();
  const payload = new BinaryWriter()
    .tag(1, WireType.Varint)
    .uint64(1_700_000_000_000n)
    .tag(2, WireType.LengthDelimited)
    .bytes(metric("temp", 10, (to) => to.tag(13, WireType.Bit64).double(21.5)))
    .tag(2, WireType.LengthDelimited)
    .bytes(metric("low", 3, (to) => to.tag(10, WireType.Varint).uint32(0xfffffffe)))
    .tag(3, WireType.Varint)
    .uint64(7n)
    .finish();

  it("is read on its topics only", async () => {
    const found = await read(payload, { topic });
    expect(found.kinds[0]).toBe("sparkplug");
    expect(toText(found.values.sparkplug, false)).toBe(
      '{"timestamp":1700000000000,"metrics":[{"name":"temp","datatype":"Double","value":21.5},' +
        '{"name":"low","datatype":"Int32","value":-2}],"seq":7}',
    );
    expect(await kindsOf(payload, "a/b")).not.toContain("sparkplug");
  });

  it("that is cut or foreign is bytes", async () => {
    expect((await kindsOf(payload.subarray(0, 30), topic))[0]).toBe("hex");
    expect((await kindsOf(new Uint8Array(5000).fill(0x12), topic))[0]).toBe("hex");
  });
});

describe("pictures", () => {
  const png = [
    0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 1, 0,
    0, 0, 0, 128, 8, 6, 0, 0, 0,
  ];
  it("are known by their first bytes, with their size", async () => {
    const found = await read(new Uint8Array(png), { topic: "a" });
    expect(found.kinds[0]).toBe("image");
    expect(found.picture).toEqual({ type: "image/png", width: 256, height: 128 });
  });
  it("are never SVG, whatever the sender says", async () => {
    const svg = bytes('<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>');
    expect(await kindsOf(svg, "a", "image/svg+xml")).toEqual(["text", "hex", "base64"]);
  });
});
