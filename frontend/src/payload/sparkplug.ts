// Sparkplug B payloads (Eclipse Sparkplug 3.0, 6.4): protobuf, read by tables. Loaded when needed.

import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { Moment } from "./value";

type Simple = "uint32" | "uint64" | "float" | "double" | "bool" | "string" | "bytes";
type Field = readonly [name: string, kind: Simple | keyof typeof TABLES, repeated?: "many"];
type Message = Record<string, unknown>;

// Field numbers as in sparkplug_b.proto. Values carry "value" whatever their type is.
const TABLES = {
  payload: {
    1: ["timestamp", "uint64"],
    2: ["metrics", "metric", "many"],
    3: ["seq", "uint64"],
    4: ["uuid", "string"],
    5: ["body", "bytes"],
  },
  metric: {
    1: ["name", "string"],
    2: ["alias", "uint64"],
    3: ["timestamp", "uint64"],
    4: ["datatype", "uint32"],
    5: ["is_historical", "bool"],
    6: ["is_transient", "bool"],
    7: ["is_null", "bool"],
    8: ["metadata", "metadata"],
    9: ["properties", "properties"],
    10: ["value", "uint32"],
    11: ["value", "uint64"],
    12: ["value", "float"],
    13: ["value", "double"],
    14: ["value", "bool"],
    15: ["value", "string"],
    16: ["value", "bytes"],
    17: ["value", "dataset"],
    18: ["value", "template"],
  },
  metadata: {
    1: ["is_multi_part", "bool"],
    2: ["content_type", "string"],
    3: ["size", "uint64"],
    4: ["seq", "uint64"],
    5: ["file_name", "string"],
    6: ["file_type", "string"],
    7: ["md5", "string"],
    8: ["description", "string"],
  },
  properties: { 1: ["keys", "string", "many"], 2: ["values", "property", "many"] },
  property: {
    1: ["type", "uint32"],
    2: ["is_null", "bool"],
    3: ["value", "uint32"],
    4: ["value", "uint64"],
    5: ["value", "float"],
    6: ["value", "double"],
    7: ["value", "bool"],
    8: ["value", "string"],
    9: ["value", "properties"],
    10: ["value", "propertylist"],
  },
  propertylist: { 1: ["sets", "properties", "many"] },
  dataset: {
    1: ["num_of_columns", "uint64"],
    2: ["columns", "string", "many"],
    3: ["types", "uint32", "many"],
    4: ["rows", "row", "many"],
  },
  row: { 1: ["elements", "cell", "many"] },
  cell: {
    1: ["value", "uint32"],
    2: ["value", "uint64"],
    3: ["value", "float"],
    4: ["value", "double"],
    5: ["value", "bool"],
    6: ["value", "string"],
  },
  template: {
    1: ["version", "string"],
    2: ["metrics", "metric", "many"],
    3: ["parameters", "parameter", "many"],
    4: ["template_ref", "string"],
    5: ["is_definition", "bool"],
  },
  parameter: {
    1: ["name", "string"],
    2: ["type", "uint32"],
    3: ["value", "uint32"],
    4: ["value", "uint64"],
    5: ["value", "float"],
    6: ["value", "double"],
    7: ["value", "bool"],
    8: ["value", "string"],
  },
} as const satisfies Record<string, Record<number, readonly [string, string, "many"?]>>;

const WIRES: Record<Simple, WireType> = {
  uint32: WireType.Varint,
  uint64: WireType.Varint,
  bool: WireType.Varint,
  float: WireType.Bit32,
  double: WireType.Bit64,
  string: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
};

const TYPES =
  "Unknown Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float Double Boolean String DateTime Text UUID DataSet Bytes File Template PropertySet PropertySetList Int8Array Int16Array Int32Array Int64Array UInt8Array UInt16Array UInt32Array UInt64Array FloatArray DoubleArray BooleanArray StringArray DateTimeArray".split(
    " ",
  );
const SIGNED: Record<string, number> = { Int8: 8, Int16: 16, Int32: 32, Int64: 64 };
const MAX_DEPTH = 16;
const MAX_FIELDS = 100_000;

/** Read a payload; throws when the bytes do not follow the format. */
export function decodeSparkplug(bytes: Uint8Array): Message {
  const budget = { fields: MAX_FIELDS };
  const message = read(new BinaryReader(bytes), bytes.length, "payload", 0, budget);
  if (!("timestamp" in message || "metrics" in message || "seq" in message))
    throw new Error("no Sparkplug payload");
  return message;
}

function read(
  reader: BinaryReader,
  end: number,
  table: keyof typeof TABLES,
  depth: number,
  budget: { fields: number },
): Message {
  if (depth > MAX_DEPTH) throw new Error("nested too deep");
  const message: Message = {};
  while (reader.pos < end) {
    if ((budget.fields -= 1) < 0) throw new Error("too many fields");
    const [number, wire] = reader.tag();
    const field = (TABLES[table] as Record<number, Field>)[number];
    if (!field) {
      reader.skip(wire, number);
      continue;
    }
    const [name, kind, many] = field;
    for (const value of values(reader, wire, kind, depth, budget)) {
      if (!many) message[name] = value;
      else if (Array.isArray(message[name])) message[name].push(value);
      else message[name] = [value];
    }
  }
  if (reader.pos !== end) throw new Error("a field runs over the end of its message");
  return finished(table, message);
}

function values(
  reader: BinaryReader,
  wire: WireType,
  kind: Field[1],
  depth: number,
  budget: { fields: number },
): unknown[] {
  if (kind in TABLES) {
    if (wire !== WireType.LengthDelimited) throw new Error("not a message");
    const end = reader.uint32() + reader.pos;
    return [read(reader, end, kind as keyof typeof TABLES, depth + 1, budget)];
  }
  const simple = kind as Simple;
  if (wire === WIRES[simple]) return [one(reader, simple)];
  if (wire !== WireType.LengthDelimited) throw new Error("another type than the format's");
  const end = reader.uint32() + reader.pos;
  const packed: unknown[] = [];
  while (reader.pos < end) packed.push(one(reader, simple));
  return packed;
}

function one(reader: BinaryReader, kind: Simple): unknown {
  const value = kind === "string" ? reader.string() : reader[kind]();
  if (kind !== "uint64") return value;
  const exact = BigInt(value as bigint | string);
  return exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : exact;
}

/** Types by name, signed numbers with their sign, times as such, properties by their keys. */
function finished(table: keyof typeof TABLES, message: Message): Message {
  if ("timestamp" in message) message.timestamp = moment(message.timestamp);
  for (const field of ["datatype", "type"]) {
    if (typeof message[field] !== "number") continue;
    const type = TYPES[message[field]] ?? String(message[field]);
    message[field] = type;
    message.value = typed(type, message.value);
    if (message.value === undefined) delete message.value;
  }
  if (table === "properties" && Array.isArray(message.keys)) {
    const found = Array.isArray(message.values) ? message.values : [];
    const named = message.keys.map((key, index) => [String(key), found[index]] as const);
    return Object.fromEntries(named);
  }
  if (table === "cell") return { value: message.value ?? null };
  return message;
}

function typed(type: string, value: unknown): unknown {
  const bits = SIGNED[type];
  if (bits !== undefined && (typeof value === "number" || typeof value === "bigint")) {
    const signed = BigInt.asIntN(bits, BigInt(value));
    return bits === 64 ? signed : Number(signed);
  }
  return type === "DateTime" ? moment(value) : value;
}

function moment(value: unknown): unknown {
  return typeof value === "number" || typeof value === "bigint" ? new Moment(value) : value;
}
