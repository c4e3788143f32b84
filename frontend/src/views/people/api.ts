// Users, tokens and one's own account, over the server's interface.

import { call } from "@/auth/api";
import type {
  HeldSessionsReply,
  MeReply,
  Role,
  SessionsReply,
  TokenCreate,
  TokenCreated,
  TokensReply,
  UserChange,
  UserCreate,
  UserInfo,
  UsersReply,
} from "@/contract/types";

export const ROLES: Role[] = ["viewer", "operator", "administrator"];

const one = encodeURIComponent;

export const users = () => call<UsersReply>("GET", "users");
export const addUser = (user: UserCreate) => call<UserInfo>("POST", "users", user);
export const changeUser = (name: string, change: UserChange) =>
  call<UserInfo>("PATCH", `users/${one(name)}`, change);
export const removeUser = (name: string) => call<UsersReply>("DELETE", `users/${one(name)}`);

export const signOutUser = (name: string) =>
  call<UserInfo>("DELETE", `users/${one(name)}/sessions`);

export const heldSessions = () => call<HeldSessionsReply>("GET", "sessions");
/** Without an id all sessions of the account end. */
export const endHeldSessions = (account: string, id: string | null) =>
  call<HeldSessionsReply>(
    "DELETE",
    `sessions?account=${one(account)}${id === null ? "" : `&id=${one(id)}`}`,
  );

export const tokens = () => call<TokensReply>("GET", "tokens");
export const makeToken = (token: TokenCreate) => call<TokenCreated>("POST", "tokens", token);
export const revokeToken = (id: string) => call<TokensReply>("DELETE", `tokens/${one(id)}`);

export const sessions = () => call<SessionsReply>("GET", "auth/sessions");
export const endSessions = (id: string | null) =>
  call<SessionsReply>("DELETE", `auth/sessions${id === null ? "" : `?id=${one(id)}`}`);
export const changePassword = (old: string, fresh: string) =>
  call<MeReply>("POST", "auth/password", { old, new: fresh });
