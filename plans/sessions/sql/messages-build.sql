-- Keys and indexes of the filled messages.

alter table {{messages_target}} add constraint messages_pkey primary key ({{messages.id}});

create index messages_session_id_idx on {{messages_target}} ({{messages.session_id}});
create index messages_sequence_number_idx on {{messages_target}} ({{messages.session_id}}, {{messages.sequence_number}});
-- Under row security this index serves the search, too: @@ is not leakproof, so the policy's condition comes first.
create index messages_user_id_created_at_idx on {{messages_target}} ({{messages.user_id}}, {{messages.created_at}} desc);
-- fastupdate off: a pending list makes some searches slow and some inserts very slow.
create index messages_content_search_idx on {{messages_target}} using gin (content_search) with (fastupdate = off);

analyze {{messages_target}};
