-- For the plain files. Online the same constraints are added NOT VALID and validated afterwards.

alter table {{sessions_target}} add constraint sessions_user_id_fkey
  foreign key ({{sessions.user_id}}) references auth.users (id) on delete cascade;
alter table {{messages_target}} add constraint messages_session_id_fkey
  foreign key ({{messages.session_id}}) references private.session_keys (id) on delete cascade;
alter table {{messages_target}} add constraint messages_user_id_fkey
  foreign key ({{messages.user_id}}) references auth.users (id) on delete cascade;
