// One payload of a topic to look at: a message that came, or the index's last value.

import type {
  Encoding,
  MessageProperties,
  MessageReceived,
  QoS,
  TopicInfo,
} from "@/contract/types";

export interface MessageNumber {
  epoch: number;
  seq: number;
}

export interface Shown {
  /** Null for the index's last value. */
  number: MessageNumber | null;
  payload: string;
  encoding: Encoding;
  size: number;
  cut: boolean;
  qos: QoS;
  retain: boolean;
  dup: boolean;
  /** Seconds since the epoch. */
  at: number;
  properties: MessageProperties | null;
}

export function fromMessage(message: MessageReceived): Shown {
  return {
    number: { epoch: message.epoch, seq: message.seq },
    payload: message.payload,
    encoding: message.encoding,
    size: message.size,
    cut: message.truncated ?? false,
    qos: asQos(message.qos),
    retain: message.retain,
    dup: message.dup ?? false,
    at: message.timestamp,
    properties: message.properties ?? null,
  };
}

export function fromIndex(info: TopicInfo): Shown {
  return {
    number: null,
    payload: info.last_payload,
    encoding: info.encoding,
    size: info.size,
    cut: info.truncated,
    qos: asQos(info.last_qos),
    retain: info.last_retained,
    dup: false,
    at: info.last_seen,
    properties: null,
  };
}

function asQos(value: number): QoS {
  return value === 1 || value === 2 ? value : 0;
}

/** The newest known: the last message at hand, unless the index has seen a later one. */
export function newest(messages: readonly MessageReceived[], info: TopicInfo): Shown {
  const [first] = messages;
  if (!first || info.last_seen > first.timestamp + 0.001) return fromIndex(info);
  return fromMessage(first);
}
