/** How many buffers are alive, in all and per owner. Tests assert that counts return to where they were. */
export interface LiveBuffers {
  count: number;
  bytes: number;
  byOwner: Record<string, { count: number; bytes: number }>;
}

/** Keeps count of a device's live buffers. */
export class BufferLedger {
  readonly #owners = new Map<string, { count: number; bytes: number }>();

  add(owner: string, bytes: number): void {
    const entry = this.#owners.get(owner) ?? { count: 0, bytes: 0 };
    entry.count++;
    entry.bytes += bytes;
    this.#owners.set(owner, entry);
  }

  remove(owner: string, bytes: number): void {
    const entry = this.#owners.get(owner);
    if (!entry) return;
    entry.count--;
    entry.bytes -= bytes;
    if (entry.count === 0) this.#owners.delete(owner);
  }

  snapshot(): LiveBuffers {
    let count = 0;
    let bytes = 0;
    for (const entry of this.#owners.values()) {
      count += entry.count;
      bytes += entry.bytes;
    }
    const byOwner = Object.fromEntries([...this.#owners].map(([owner, entry]) => [owner, { ...entry }]));
    return { count, bytes, byOwner };
  }
}
