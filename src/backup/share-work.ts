export interface Sharing<Worker> {
  /** The worker that is there already. */
  readonly first: Worker;
  /** How many more may help, and how each is brought in: `work` is called once it is ready. */
  readonly helpers: number;
  readonly join: (work: (worker: Worker) => Promise<void>) => Promise<void>;
  /** Called at the first failure, to end what the other workers have under way. */
  readonly stop: () => void;
}

/**
 * Runs all jobs, each on the first worker that is free, and throws the first failure. A helper that cannot join (no
 * connection to be had, a lock in the way) is done without: the worker that is there does all jobs by itself.
 */
export async function shareWork<Job extends object, Worker>(
  jobs: readonly Job[],
  run: (job: Job, worker: Worker) => Promise<void>,
  { first, helpers, join, stop }: Sharing<Worker>,
): Promise<void> {
  const queue = [...jobs];
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const drain = async (worker: Worker) => {
    try {
      for (let job = queue.shift(); job; job = queue.shift()) await run(job, worker);
    } catch (error) {
      failures.push(error);
      queue.length = 0;
      if (failures.length === 1) stop();
    }
  };
  const start = (worker: Worker) => {
    const work = drain(worker);
    running.add(work);
    return work;
  };
  for (let helper = 0; helper < Math.min(helpers, jobs.length - 1); helper++) {
    // Nobody waits for a helper that is still joining when the queue is empty: it finds nothing to do.
    join(start).catch(() => undefined);
  }
  await start(first);
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
