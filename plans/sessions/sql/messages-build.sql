-- Keys and indexes of the filled messages.

alter table {{messages_target}} add constraint messages_pkey primary key ({{messages.id}});

create index messages_session_id_idx on {{messages_target}} ({{messages.session_id}});
create index messages_sequence_number_idx on {{messages_target}} ({{messages.session_id}}, {{messages.sequence_number}});
create index messages_user_id_created_at_idx on {{messages_target}} ({{messages.user_id}}, {{messages.created_at}} desc);
-- For the newest messages of all users, which a search by service_role looks through first.
create index messages_newest_idx on {{messages_target}} ({{messages.created_at}} desc);
-- One user's messages with a word, from one index. The user as an array, because GIN has an operator class for arrays
-- without any extension; and because no btree can serve that condition, none is taken for it by mistake.
-- fastupdate off: a pending list makes some searches slow and some inserts very slow.
create index messages_content_search_idx on {{messages_target}}
  using gin ((array[{{messages.user_id}}]), content_search) with (fastupdate = off);

analyze {{messages_target}};
