// A worker that reads a file once and tells its SHA-256; the page stays as quick as before.
import { Sha256 } from "./sha256.js";

const PIECE = 8 * 2 ** 20;

addEventListener("message", async ({ data: file }) => {
  try {
    const sha256 = new Sha256();
    for (let at = 0; at < file.size; at += PIECE) {
      sha256.update(new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer()));
      postMessage({ read: Math.min(at + PIECE, file.size) });
    }
    postMessage({ sha256: sha256.hex() });
  } catch {
    postMessage({ failed: "The file cannot be read. Has it been changed or moved since you chose it?" });
  }
});
