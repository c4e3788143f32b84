// A message as it is written on the Publish page, and the command it becomes. Pure, so that it can
// be tested; the words for what is wrong come from the page's texts.

import type { CommandMode, CommandRequest, MessageProperties, QoS } from "@/contract/types";
import { t } from "@/i18n";
import { topicProblem } from "@/topics/filter";
import { type Form, toBase64, written } from "@/views/publish/forms";

export type BytesForm = "text" | "hex" | "base64";

export interface UserProperty {
  name: string;
  value: string;
}

/** A number field of the page: empty while nothing is written in it. */
export type NumberField = number | "" | null;

/** Everything that is folded away. */
export interface Options {
  contentType: string;
  responseTopic: string;
  correlation: string;
  correlationForm: BytesForm;
  /** Seconds. */
  expiry: NumberField;
  payloadFormat: 0 | 1 | null;
  userProperties: UserProperty[];
  mode: CommandMode;
  /** Seconds. */
  deadline: NumberField;
}

export interface Draft {
  topic: string;
  text: string;
  form: Form;
  qos: QoS;
  retain: boolean;
  options: Options;
  /** Of a file that was chosen; its bytes are the text, in base64. */
  fileName: string | null;
}

/** A command with everything a list of results shows. */
export type Command = CommandRequest &
  Required<Pick<CommandRequest, "topic" | "payload" | "qos" | "retain" | "encoding">>;

export type OptionField =
  "contentType" | "responseTopic" | "correlation" | "expiry" | "userProperties" | "deadline";

export const DEADLINE_S = 10;
export const MODES: readonly CommandMode[] = ["at-most-once", "at-least-once", "exactly-once"];
const FORMS: readonly Form[] = ["text", "json", "hex", "base64", "file"];
const MOST_DEADLINE_S = 86_400;
const MOST_EXPIRY_S = 4_294_967_295;
const MOST_ROWS = 32;
const MOST_TEXT = 1024;
const MOST_VALUE = 4096;
const MOST_CORRELATION_BYTES = 4096;
/** The bridge adds it to what is sent at least once; it belongs to that one command. */
const COMMAND_ID = "command-id";

export function noOptions(): Options {
  return {
    contentType: "",
    responseTopic: "",
    correlation: "",
    correlationForm: "text",
    expiry: null,
    payloadFormat: null,
    userProperties: [],
    mode: "at-most-once",
    deadline: DEADLINE_S,
  };
}

export function emptyDraft(): Draft {
  return {
    topic: "",
    text: "",
    form: "text",
    qos: 1,
    retain: false,
    options: noOptions(),
    fileName: null,
  };
}

/** A form as it was kept; what is missing or none of ours is left at its default. */
export function draftOf(kept: unknown): Draft {
  const found = emptyDraft();
  const given = (kept ?? {}) as Partial<Draft>;
  if (typeof given.topic === "string") found.topic = given.topic;
  if (typeof given.text === "string") found.text = given.text;
  if (given.form && FORMS.includes(given.form)) found.form = given.form;
  if (given.qos === 0 || given.qos === 2) found.qos = given.qos;
  found.retain = given.retain === true;
  found.options = optionsFrom(given.options);
  if (typeof given.fileName === "string") found.fileName = given.fileName;
  return found;
}

/** All of it anew: what is changed in the form must not change a template. */
export function copyOf(given: Draft): Draft {
  const { topic, text, form, qos, retain, options, fileName } = given;
  const userProperties = options.userProperties.map((one) => ({ ...one }));
  return { topic, text, form, qos, retain, options: { ...options, userProperties }, fileName };
}

/** Options as they were kept; what is missing or none of ours is left at its default. */
export function optionsFrom(kept: unknown): Options {
  const found = noOptions();
  const given = (kept ?? {}) as Partial<Options>;
  if (typeof given.contentType === "string") found.contentType = given.contentType;
  if (typeof given.responseTopic === "string") found.responseTopic = given.responseTopic;
  if (typeof given.correlation === "string") found.correlation = given.correlation;
  if (given.correlationForm === "hex" || given.correlationForm === "base64")
    found.correlationForm = given.correlationForm;
  if (typeof given.expiry === "number") found.expiry = given.expiry;
  if (given.payloadFormat === 0 || given.payloadFormat === 1)
    found.payloadFormat = given.payloadFormat;
  if (Array.isArray(given.userProperties))
    found.userProperties = given.userProperties
      .filter((one) => typeof one?.name === "string" && typeof one.value === "string")
      .slice(0, MOST_ROWS)
      .map(({ name, value }) => ({ name, value }));
  if (given.mode && MODES.includes(given.mode)) found.mode = given.mode;
  if (typeof given.deadline === "number") found.deadline = given.deadline;
  return found;
}

/** The properties of a message that was received, to send it with them again. */
export function optionsOf(given: MessageProperties | null | undefined): Options {
  const found = noOptions();
  if (!given) return found;
  found.contentType = given.content_type ?? "";
  found.responseTopic = given.response_topic ?? "";
  Object.assign(found, correlationOf(given.correlation_data));
  found.expiry = given.message_expiry_interval || null;
  const format = given.payload_format_indicator;
  found.payloadFormat = format === 0 || format === 1 ? format : null;
  found.userProperties = (given.user_properties ?? [])
    .filter(([name]) => name !== COMMAND_ID)
    .map(([name, value]) => ({ name, value }));
  return found;
}

/** The form of a command that was sent, to change it and send it again. */
export function optionsOfCommand(command: Command): Options {
  const found = optionsOf({
    content_type: command.content_type ?? null,
    response_topic: command.response_topic ?? null,
    correlation_data: command.correlation_data ?? null,
    message_expiry_interval: command.message_expiry_s ?? null,
    payload_format_indicator: command.payload_format ?? null,
    user_properties: command.user_properties ?? [],
  });
  found.mode = command.mode ?? "at-most-once";
  found.deadline = command.deadline_s ?? DEADLINE_S;
  return found;
}

function correlationOf(base64: string | null | undefined) {
  if (!base64) return {};
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  if (bytes.every((byte) => byte >= 0x20 && byte < 0x7f))
    return { correlation: String.fromCharCode(...bytes), correlationForm: "text" as const };
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
  return { correlation: hex, correlationForm: "hex" as const };
}

/** Whether a row of user properties says anything. */
function isFilled({ name, value }: UserProperty): boolean {
  return name !== "" || value !== "";
}

/** How many properties of MQTT 5 are set. */
export function propertyCount(options: Options): number {
  const { contentType, responseTopic, correlation, expiry, payloadFormat } = options;
  const single = [contentType, responseTopic, correlation, expiry ?? "", payloadFormat ?? ""];
  const set = single.filter((one) => one !== "").length;
  return set + options.userProperties.filter(isFilled).length;
}

/** What the broker would be told as correlation data, in base64; null when it cannot be. */
export function correlationBytes(options: Options): { data: string | null; size: number } {
  const given = written(options.correlationForm, options.correlation);
  if (given.payload === null) return { data: null, size: 0 };
  if (given.encoding === "base64") return { data: given.payload, size: given.size };
  return { data: toBase64(new TextEncoder().encode(given.payload)), size: given.size };
}

/** What is wrong, by field. `speaks5`: whether properties can be sent at all. */
export function problemsOf(
  options: Options,
  speaks5: boolean,
): Partial<Record<OptionField, string>> {
  const found: Partial<Record<OptionField, string>> = {};
  const { deadline } = options;
  if (typeof deadline !== "number" || !(deadline > 0 && deadline <= MOST_DEADLINE_S))
    found.deadline = t("publish.options.badDeadline");
  if (!speaks5) return found;
  const { expiry, contentType, responseTopic } = options;
  if (
    expiry !== null &&
    expiry !== "" &&
    !(Number.isInteger(expiry) && expiry >= 1 && expiry <= MOST_EXPIRY_S)
  )
    found.expiry = t("publish.options.badExpiry");
  if (contentType.length > MOST_TEXT) found.contentType = tooLong(MOST_TEXT);
  const topic = responseTopic ? topicProblem(responseTopic) : null;
  if (topic) found.responseTopic = topic;
  else if (responseTopic.length > MOST_TEXT) found.responseTopic = tooLong(MOST_TEXT);
  const correlation = correlationBytes(options);
  if (correlation.data === null)
    found.correlation = written(options.correlationForm, options.correlation).problem ?? "";
  else if (correlation.size > MOST_CORRELATION_BYTES)
    found.correlation = t("publish.options.bigCorrelation", { n: MOST_CORRELATION_BYTES });
  const rows = options.userProperties.filter(isFilled);
  if (rows.some(({ name }) => name.length > MOST_TEXT)) found.userProperties = tooLong(MOST_TEXT);
  else if (rows.some(({ value }) => value.length > MOST_VALUE))
    found.userProperties = tooLong(MOST_VALUE);
  return found;
}

function tooLong(n: number): string {
  return t("publish.options.tooLong", { n });
}

export function canAddRow(options: Options): boolean {
  return options.userProperties.length < MOST_ROWS;
}

/** The mode nearest to what was chosen that this QoS allows. */
export function modeFor(mode: CommandMode, qos: QoS, speaks5: boolean): CommandMode {
  const exactly = qos === 2 && speaks5;
  if (mode === "exactly-once" && !exactly) return qos ? "at-least-once" : "at-most-once";
  return mode === "at-least-once" && qos === 0 ? "at-most-once" : mode;
}

/** The least QoS a mode needs. */
export function qosFor(mode: CommandMode, qos: QoS): QoS {
  if (mode === "exactly-once") return 2;
  return mode === "at-least-once" && qos === 0 ? 1 : qos;
}

/** The command a draft stands for, or null when its payload is none. */
export function commandOf(draft: Draft, speaks5: boolean): Command | null {
  const { payload, encoding } = written(draft.form, draft.text);
  if (payload === null) return null;
  const { topic, qos, retain, options } = draft;
  const command: Command = {
    topic,
    payload,
    qos,
    retain,
    encoding,
    mode: modeFor(options.mode, qos, speaks5),
    deadline_s: Number(options.deadline),
  };
  return speaks5 ? { ...command, ...propertiesOf(options) } : command;
}

/** The properties that are set, as the contract has them. */
export function propertiesOf(options: Options): Partial<CommandRequest> {
  const found: Partial<CommandRequest> = {};
  if (options.contentType) found.content_type = options.contentType;
  if (options.responseTopic) found.response_topic = options.responseTopic;
  if (options.correlation) found.correlation_data = correlationBytes(options).data;
  if (typeof options.expiry === "number") found.message_expiry_s = options.expiry;
  if (options.payloadFormat !== null) found.payload_format = options.payloadFormat;
  const rows = options.userProperties.filter(isFilled);
  if (rows.length) found.user_properties = rows.map(({ name, value }) => [name, value]);
  return found;
}
