/** Thrown by work that is retried, to give its locks back and try again later. */
export class AttemptAgain extends Error {}
