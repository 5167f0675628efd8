/** A run of blocks `[from, to)` of a relation. */
export interface BlockRange {
  readonly from: number;
  readonly to: number;
}

const FIRST_BATCH_BLOCKS = 128;
const MAX_BATCH_BLOCKS = 65_536;

/**
 * Hands out the blocks that are still to be copied, in order, in batches whose size follows the time they take. What
 * was copied before a stop is given as `copied`; only the gaps are handed out.
 */
export class BlockRanges {
  /** Blocks copied so far, the earlier ones included. */
  done: number;
  private readonly gaps: { from: number; to: number }[] = [];
  private batch = FIRST_BATCH_BLOCKS;
  private readonly workers: number;

  constructor(blocks: number, copied: readonly BlockRange[], workers: number) {
    this.workers = workers;
    let next = 0;
    for (const range of [...copied].sort((a, b) => a.from - b.from)) {
      const from = Math.min(range.from, blocks);
      if (from > next) this.gaps.push({ from: next, to: from });
      next = Math.max(next, range.to);
    }
    if (next < blocks) this.gaps.push({ from: next, to: blocks });
    this.done = blocks - this.remaining();
  }

  /** The next batch, or null where all blocks are handed out. */
  take(): BlockRange | null {
    const gap = this.gaps[0];
    if (!gap) return null;
    // Towards the end every worker gets a share: none waits for another one's last large batch.
    const share = Math.max(FIRST_BATCH_BLOCKS, Math.ceil(this.remaining() / (2 * this.workers)));
    const to = Math.min(gap.to, gap.from + Math.min(this.batch, share));
    const range = { from: gap.from, to };
    if (to === gap.to) this.gaps.shift();
    else gap.from = to;
    return range;
  }

  /** Notes a copied range, and moves the batch size towards `targetMs`, at most doubling or halving it. */
  finished(range: BlockRange, tookMs: number, targetMs: number): void {
    const blocks = range.to - range.from;
    this.done += blocks;
    const ideal = (blocks * targetMs) / Math.max(1, tookMs);
    this.batch = Math.round(
      Math.min(
        MAX_BATCH_BLOCKS,
        Math.max(FIRST_BATCH_BLOCKS, Math.min(this.batch * 2, Math.max(this.batch / 2, ideal))),
      ),
    );
  }

  private remaining(): number {
    return this.gaps.reduce((sum, gap) => sum + gap.to - gap.from, 0);
  }
}
