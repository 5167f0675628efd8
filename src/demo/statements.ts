/**
 * What the application says to its database. Each text is prepared once per connection, under its name, and outlives
 * the cutover: no casts, no `SELECT *`, and results of only those columns whose types stay the same, since a prepared
 * statement whose result changes type is refused for good (0A000).
 */
export const statements = {
  begin: 'BEGIN',
  commit: 'COMMIT',
  rollback: 'ROLLBACK',
  open_session: `INSERT INTO sessions (id, user_id, language, level, status, title) VALUES ($1, $2, $3, $4, $5, $6)
    RETURNING created_at, updated_at, last_accessed`,
  touch_session: 'UPDATE sessions SET last_accessed = now() WHERE id = $1 RETURNING updated_at, last_accessed',
  set_status: `UPDATE sessions SET status = $2, updated_at = now() WHERE id = $1 RETURNING updated_at, last_accessed`,
  set_language: `UPDATE sessions SET language = $2, updated_at = now() WHERE id = $1
    RETURNING updated_at, last_accessed`,
  set_level: `UPDATE sessions SET level = $2, updated_at = now() WHERE id = $1 RETURNING updated_at, last_accessed`,
  rename_session: `UPDATE sessions SET title = $2, updated_at = now() WHERE id = $1 RETURNING updated_at, last_accessed`,
  delete_session: 'DELETE FROM sessions WHERE id = $1',
  list_sessions: `SELECT id, title, last_accessed FROM sessions WHERE user_id = $1 ORDER BY last_accessed DESC LIMIT 20`,
  append_message: `INSERT INTO messages (id, session_id, user_id, type, sequence_number, content)
    VALUES ($1, $2, $3, $4, $5, $6) RETURNING created_at`,
  edit_message: 'UPDATE messages SET content = $2 WHERE id = $1 RETURNING created_at',
  delete_message: 'DELETE FROM messages WHERE id = $1',
  read_messages: 'SELECT id, content FROM messages WHERE session_id = $1 ORDER BY sequence_number, id',
} as const;

export type StatementName = keyof typeof statements;
