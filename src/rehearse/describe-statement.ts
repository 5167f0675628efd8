import type { Connection, Submittable } from 'pg';
import type { Client } from '../db/connect.ts';
import { isRecord } from './syntax.ts';

/** A column of a statement's result: what a prepared statement is bound to. */
export interface ResultColumn {
  readonly name: string;
  readonly typeOid: number;
  readonly typeModifier: number;
}

export interface Description {
  /** The types of `$1`, `$2`, …: those given, and where none was, those that the server inferred. */
  readonly parameters: readonly number[];
  readonly columns: readonly ResultColumn[];
}

/**
 * Parse and Describe of the extended protocol: the server analyses and rewrites the statement as for any driver that
 * prepares, and nothing is bound nor executed. Unlike PREPARE, it tells the types of the result on every version.
 */
export function describeStatement(client: Client, text: string, types: readonly number[]): Promise<Description> {
  return new Promise((resolve, reject) => {
    client.query(new ParseAndDescribe(text, types, resolve, reject));
  });
}

/** What `pg` calls on a query of one's own; see its Query. */
class ParseAndDescribe implements Submittable {
  readonly #text: string;
  readonly #types: readonly number[];
  readonly #resolve: (description: Description) => void;
  readonly #reject: (error: unknown) => void;
  #parameters: number[] = [];
  #columns: ResultColumn[] = [];
  #connection: Connection | null = null;

  constructor(
    text: string,
    types: readonly number[],
    resolve: (description: Description) => void,
    reject: (error: unknown) => void,
  ) {
    this.#text = text;
    this.#types = types;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  submit(connection: Connection): void {
    this.#connection = connection;
    // The client hands on what a query of its own wants to hear, and parameter types are not among it.
    connection.on('parameterDescription', this.#onParameters);
    connection.parse({ name: '', text: this.#text, types: this.#types.map(String) }, true);
    connection.describe({ type: 'S', name: '' }, true);
    connection.sync();
  }

  handleRowDescription(message: { fields: readonly unknown[] }): void {
    this.#columns = message.fields.filter(isRecord).map((field) => ({
      name: String(field.name),
      typeOid: Number(field.dataTypeID),
      typeModifier: Number(field.dataTypeModifier),
    }));
  }

  handleError(error: unknown): void {
    this.#release();
    this.#reject(error);
  }

  handleReadyForQuery(): void {
    this.#release();
    this.#resolve({ parameters: this.#parameters, columns: this.#columns });
  }

  readonly #onParameters = (message: unknown) => {
    const types = isRecord(message) ? message.dataTypeIDs : null;
    this.#parameters = Array.isArray(types) ? types.map(Number) : [];
  };

  #release(): void {
    this.#connection?.off('parameterDescription', this.#onParameters);
  }
}
