// A payload as it is written: text, JSON, hex, base64 or a file. Pure, so that it can be tested.

import type { Encoding } from "@/contract/types";
import { t } from "@/i18n";

export type Form = "text" | "json" | "hex" | "base64" | "file";

export interface Written {
  /** The payload for the contract, or null when it cannot be one. */
  payload: string | null;
  encoding: Encoding;
  /** Bytes it will have. */
  size: number;
  problem: string | null;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const utf8 = new TextEncoder();

/** Turn what was written into what is sent. */
export function written(form: Form, text: string): Written {
  if (form === "base64" || form === "file") return ofBase64(text.replace(/\s+/g, ""));
  if (form === "hex") return ofHex(text);
  const problem = form === "json" ? jsonProblem(text) : null;
  return {
    payload: problem ? null : text,
    encoding: "utf8",
    size: utf8.encode(text).length,
    problem,
  };
}

/** Bytes in base64, as the contract has them. */
export function toBase64(bytes: Uint8Array): string {
  let binary = "";
  for (let at = 0; at < bytes.length; at += 8192)
    binary += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(binary);
}

function ofBase64(text: string): Written {
  const valid = BASE64.test(text);
  return {
    payload: valid ? text : null,
    encoding: "base64",
    size: Math.floor((text.replace(/=+$/, "").length * 3) / 4),
    problem: valid ? null : t("publish.notBase64"),
  };
}

function ofHex(text: string): Written {
  const digits = text.replace(/\s+|0x/g, "");
  if (digits.length % 2 || /[^0-9a-fA-F]/.test(digits))
    return { payload: null, encoding: "base64", size: 0, problem: t("publish.notHex") };
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return { payload: toBase64(bytes), encoding: "base64", size: bytes.length, problem: null };
}

function jsonProblem(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return t("publish.notJson", { reason: error instanceof Error ? error.message : "" });
  }
}
