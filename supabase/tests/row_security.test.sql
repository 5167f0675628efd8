-- Row security as users meet it. `supabase test db` runs it, or pg_prove on any migrated database:
--   pg_prove --dbname "$DATABASE_URL" supabase/tests/*.test.sql
-- It is rolled back at the end.

begin;
create extension if not exists pgtap;
-- Wherever it stands: on Supabase that is schema extensions.
do $do$
begin
  perform set_config('search_path', format('public, %I', n.nspname), true)
     from pg_extension e join pg_namespace n on n.oid = e.extnamespace where e.extname = 'pgtap';
end
$do$;
select plan(51);

-- Null: claims that say nobody.
create function pg_temp.claim(sub text) returns void
language sql
as $function$
  select set_config('request.jwt.claims', json_strip_nulls(json_build_object('sub', sub))::text, true), set_config('request.jwt.claim.sub', sub, true)
$function$;

create function pg_temp.sign_in(id uuid) returns void
language sql
as $function$
  select pg_temp.claim(id::text), set_config('role', 'authenticated', true)
$function$;

insert into auth.users (id) values ('00000000-0000-4000-8000-00000000000a'), ('00000000-0000-4000-8000-00000000000b');
insert into public.sessions (id, user_id, language, level) values
  ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-00000000000a', 'en', 'beginner'),
  ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-00000000000b', 'en', 'beginner');
insert into public.messages (id, session_id, user_id, content) values
  ('00000000-0000-4000-8000-0000000000a2', '00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-00000000000a', 'hello from ann'),
  ('00000000-0000-4000-8000-0000000000b2', '00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-00000000000b', 'hello from bob');
insert into public.message_feedback (message_id, overall_score) values ('00000000-0000-4000-8000-0000000000a2', 50), ('00000000-0000-4000-8000-0000000000b2', 60);
refresh materialized view public.session_stats;

-- What holds for everybody.

select ok((select relrowsecurity from pg_class where oid = 'public.sessions'::regclass), 'row security is on for public.sessions');
select ok((select relrowsecurity from pg_class where oid = 'public.sessions_active'::regclass), 'row security is on for public.sessions_active');
select ok((select relrowsecurity from pg_class where oid = 'public.sessions_archived'::regclass), 'row security is on for public.sessions_archived');
select ok((select relrowsecurity from pg_class where oid = 'public.sessions_deleted'::regclass), 'row security is on for public.sessions_deleted');
select ok((select relrowsecurity from pg_class where oid = 'public.messages'::regclass), 'row security is on for public.messages');
select ok((select relrowsecurity from pg_class where oid = 'public.message_feedback'::regclass), 'row security is on for public.message_feedback');
select ok((select relrowsecurity from pg_class where oid = 'private.session_keys'::regclass), 'row security is on for private.session_keys');

-- Ann is signed in.

select pg_temp.sign_in('00000000-0000-4000-8000-00000000000a');

select is((select count(*) from public.sessions), 1::bigint, 'ann sees one row of sessions');
select is((select count(*) from public.messages), 1::bigint, 'ann sees one row of messages');
select is((select count(*) from public.message_feedback), 1::bigint, 'ann sees one row of message_feedback');
select is((select sum(sessions) from public.my_session_stats), 1::numeric, 'ann sees her own statistics');
select is((select count(*) from public.search_messages('hello') where id = '00000000-0000-4000-8000-0000000000a2'), 1::bigint, 'ann finds her message');
select is_empty($$ select from public.search_messages('hello') where user_id = '00000000-0000-4000-8000-00000000000b' $$, 'ann does not find that of bob');
select is_empty($$ select from public.messages(jsonb_populate_record(null::public.sessions, '{"id": "00000000-0000-4000-8000-0000000000b1"}')) $$, 'a made-up row leads to no message of bob');

select lives_ok($$ insert into public.sessions (user_id, language, level) values ('00000000-0000-4000-8000-00000000000a', 'es', 'advanced') $$, 'ann begins a session');
select lives_ok($$ insert into public.messages (session_id, user_id, content) values ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-00000000000a', 'again') $$, 'ann writes into her session');
select lives_ok($$ insert into public.message_feedback (message_id, overall_score) values ('00000000-0000-4000-8000-0000000000a2', 70) $$, 'ann records feedback on her message');
select lives_ok($$ update public.sessions set status = 'archived' where id = '00000000-0000-4000-8000-0000000000a1' $$, 'ann archives her session');

select throws_ok($$ insert into public.sessions (user_id, language, level) values ('00000000-0000-4000-8000-00000000000b', 'es', 'advanced') $$, '42501', null, 'no session in the name of bob');
select throws_ok($$ insert into public.messages (session_id, user_id, content) values ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-00000000000a', 'x') $$, '42501', null, 'no message into the session of bob');
select throws_ok($$ insert into public.messages (session_id, user_id, content) values ('00000000-0000-4000-8000-0000000000a1', '00000000-0000-4000-8000-00000000000b', 'x') $$, '42501', null, 'no message in the name of bob');
select throws_ok($$ insert into public.message_feedback (message_id, overall_score) values ('00000000-0000-4000-8000-0000000000b2', 0) $$, '42501', null, 'no feedback on the message of bob');
select throws_ok($$ update public.sessions set user_id = '00000000-0000-4000-8000-00000000000b' where id = '00000000-0000-4000-8000-0000000000a1' $$, '42501', null, 'a session is not handed to bob');
select throws_ok($$ update public.messages set user_id = '00000000-0000-4000-8000-00000000000b' where id = '00000000-0000-4000-8000-0000000000a2' $$, '42501', null, 'a message is not handed to bob');
select throws_ok($$ update public.messages set session_id = '00000000-0000-4000-8000-0000000000b1' where id = '00000000-0000-4000-8000-0000000000a2' $$, '42501', null, 'a message is not moved into the session of bob');
select throws_ok($$ update public.message_feedback set message_id = '00000000-0000-4000-8000-0000000000b2' where message_id = '00000000-0000-4000-8000-0000000000a2' $$, '42501', null, 'feedback is not moved to the message of bob');
select throws_ok($$ insert into public.sessions (id, user_id, language, level, status) values ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-00000000000a', 'en', 'beginner', 'deleted') $$, '23503', null, 'no second session under the id of that of bob');

select is_empty($$ update public.sessions set created_at = now() where id = '00000000-0000-4000-8000-0000000000b1' returning 1 $$, 'nothing of bob is changed in sessions');
select is_empty($$ delete from public.sessions where id = '00000000-0000-4000-8000-0000000000b1' returning 1 $$, 'nothing of bob is deleted from sessions');
select is_empty($$ update public.messages set created_at = now() where id = '00000000-0000-4000-8000-0000000000b2' returning 1 $$, 'nothing of bob is changed in messages');
select is_empty($$ delete from public.messages where id = '00000000-0000-4000-8000-0000000000b2' returning 1 $$, 'nothing of bob is deleted from messages');
select is_empty($$ update public.message_feedback set created_at = now() where message_id = '00000000-0000-4000-8000-0000000000b2' returning 1 $$, 'nothing of bob is changed in message_feedback');
select is_empty($$ delete from public.message_feedback where message_id = '00000000-0000-4000-8000-0000000000b2' returning 1 $$, 'nothing of bob is deleted from message_feedback');

select throws_ok($$ select from public.sessions_active $$, '42501', null, 'public.sessions_active is closed');
select throws_ok($$ select from public.sessions_archived $$, '42501', null, 'public.sessions_archived is closed');
select throws_ok($$ select from public.sessions_deleted $$, '42501', null, 'public.sessions_deleted is closed');
select throws_ok($$ select from public.session_stats $$, '42501', null, 'public.session_stats is closed');
select throws_ok($$ select from private.session_keys $$, '42501', null, 'private.session_keys is closed');

-- Signed in as nobody, or as something that is no user.

select pg_temp.claim(null);

select is_empty($$ select from public.sessions $$, 'without a subject there is no row of sessions');
select is_empty($$ select from public.messages $$, 'without a subject there is no row of messages');
select is_empty($$ select from public.message_feedback $$, 'without a subject there is no row of message_feedback');
select pg_temp.claim('test-user-id');

select throws_ok($$ select from public.sessions $$, '22P02', null, 'a subject that is no uuid is an error');

-- Not signed in.

reset role;
select pg_temp.claim(null);
set local role anon;

select throws_ok($$ select from public.sessions $$, '42501', null, 'sessions is closed to anon');
select throws_ok($$ select from public.messages $$, '42501', null, 'messages is closed to anon');
select throws_ok($$ select from public.message_feedback $$, '42501', null, 'message_feedback is closed to anon');
select throws_ok($$ select from public.my_session_stats $$, '42501', null, 'my_session_stats is closed to anon');
select throws_ok($$ select from public.search_messages('hello') $$, '42501', null, 'search is closed to anon');

-- With a user goes what is the user's.

reset role;
delete from auth.users where id = '00000000-0000-4000-8000-00000000000b';

select is_empty($$ select from public.sessions where user_id = '00000000-0000-4000-8000-00000000000b' $$, 'sessions');
select is_empty($$ select from public.messages where user_id = '00000000-0000-4000-8000-00000000000b' $$, 'messages');
select is_empty($$ select from public.message_feedback where message_id = '00000000-0000-4000-8000-0000000000b2' $$, 'feedback');
select is_empty($$ select from private.session_keys where id = '00000000-0000-4000-8000-0000000000b1' $$, 'registry key');

select * from finish();
rollback;
