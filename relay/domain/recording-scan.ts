// Reads a recording back from the disk, page by page, whole or broken off. Pure: the caller brings the bytes.
//
// The checksum that the worker is told, SHA-256, is over the Ogg packets with audio, one after the other, without page headers:
// over the bodies of all pages but the first two. It is the same whatever the file's serial number, and whether or not the file
// was broken off behind its last whole page and made whole later.
import { FLAG_LAST, readPage } from './ogg.ts';
import { PRE_SKIP_TICKS } from './ogg-write.ts';
import { OPUS_TICKS_PER_MS } from './opus.ts';

/** Spec: RFC 3533 section 6, the longest page: header, segment table, 255 segments of 255 bytes. */
export const PAGE_BYTES_MAX = 27 + 255 + 255 * 255;

/** Pages that hold no audio. */
const HEADER_PAGES = 2;

export class RecordingScan {
  /** Bytes of whole pages so far: where the file breaks off if it does. */
  bytes = 0;
  /** Where the last page starts. */
  lastPageAt = 0;
  /** The last page says that it is the last. */
  isEnded = false;
  readonly #onAudio: (body: Uint8Array) => void;
  #pages = 0;
  #ticks = 0;

  /** @param onAudio hears of what the checksum is over; the bytes may be reused afterwards */
  constructor(onAudio: (body: Uint8Array) => void) {
    this.#onAudio = onAudio;
  }

  get hasAudio(): boolean {
    return this.#pages > HEADER_PAGES;
  }

  get durationMs(): number {
    return durationMs(this.#ticks);
  }

  /**
   * Takes the next bytes of the file.
   *
   * @param isRest nothing follows; otherwise there must be `PAGE_BYTES_MAX` bytes at least
   * @returns how many bytes of them were whole pages; those that follow have to be brought again
   */
  read(bytes: Uint8Array, isRest: boolean): number {
    let at = 0;
    const enough = isRest ? 1 : PAGE_BYTES_MAX;
    while (!this.isEnded && bytes.length - at >= enough) {
      const page = readPage(bytes, at);
      // Whatever is wrong with it, it is what was being written when the relay was gone.
      if (typeof page === 'string' || page.sequence !== this.#pages) break;
      if (this.#pages >= HEADER_PAGES) {
        this.#onAudio(bytes.subarray(page.start, page.end));
        this.#ticks = page.granule;
      }
      this.#pages += 1;
      this.lastPageAt = this.bytes;
      this.isEnded = (page.flags & FLAG_LAST) !== 0;
      this.bytes += page.end - at;
      at = page.end;
    }
    return at;
  }
}

/** How long a player plays a file of so many samples, pre-skip included, in whole ms. */
export const durationMs = (ticks: number): number =>
  Math.max(0, Math.round((ticks - PRE_SKIP_TICKS) / OPUS_TICKS_PER_MS));
