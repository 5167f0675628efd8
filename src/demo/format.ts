/** `20,000` */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** `0.7 ms`, `31 ms`, `5,000 ms` */
export function ms(value: number): string {
  return value < 10 ? `${value.toFixed(1)} ms` : `${count(value)} ms`;
}

/** `17.9 s` */
export function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}
