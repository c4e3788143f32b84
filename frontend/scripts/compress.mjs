// Leave compressed forms (gzip and Brotli) beside the files of the build; the dashboard sends the
// one the browser takes. Written once here, so that no request waits for it.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const TEXT = /\.(js|css|html|svg|json|map|txt)$/;
// Smaller than this nothing is won: one packet carries it either way.
const LEAST_BYTES = 1000;
const folder = process.argv[2] ?? "../src/mqtt_dashboard/dashboard/static";

for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !TEXT.test(entry.name)) continue;
  const path = `${entry.parentPath}/${entry.name}`;
  const plain = readFileSync(path);
  if (plain.length < LEAST_BYTES) continue;
  const brotli = { [constants.BROTLI_PARAM_SIZE_HINT]: plain.length };
  writeFileSync(`${path}.br`, brotliCompressSync(plain, { params: brotli }));
  writeFileSync(`${path}.gz`, gzipSync(plain, { level: 9 }));
}
