// Remove addresses from package-lock.json: which registry or sponsor page was asked is nobody's
// business, and npm needs neither. Run after every change of the lock: npm run lock.
// A lock other than the front end's is named as an argument.
import { readFileSync, writeFileSync } from "node:fs";

const path = process.argv[2] ?? new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(path, "utf8"));
for (const entry of Object.values(lock.packages)) {
  delete entry.funding;
  delete entry.resolved;
}
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
