/**
 * `auth.uid()` as it stands on Supabase, and not as our stand-in has it: without a search_path of its own, and an empty `sub` of
 * the claims is no uuid.
 */
export const supabasesUid = `CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
  SELECT coalesce(nullif(current_setting('request.jwt.claim.sub', true), ''),
                  (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'))::uuid $$`;
