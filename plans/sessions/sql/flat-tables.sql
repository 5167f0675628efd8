-- Where the move begins: two plain tables with text where the end state has enums.

create table if not exists {{sessions}} (
  {{sessions.id}} uuid primary key default gen_random_uuid(),
  {{sessions.user_id}} uuid not null references auth.users (id) on delete cascade,
  {{sessions.language}} text not null,
  {{sessions.level}} text not null,
  {{sessions.status}} text not null default 'active',
  {{sessions.title}} text,
  {{sessions.created_at}} timestamptz not null default now(),
  {{sessions.updated_at}} timestamptz not null default now(),
  {{sessions.last_accessed}} timestamptz not null default now()
);

create table if not exists {{messages}} (
  {{messages.id}} uuid primary key default gen_random_uuid(),
  {{messages.session_id}} uuid not null references {{sessions}} ({{sessions.id}}) on delete cascade,
  {{messages.user_id}} uuid not null references auth.users (id) on delete cascade,
  {{messages.type}} text not null default 'text',
  {{messages.sequence_number}} integer not null,
  {{messages.content}} text not null,
  {{messages.created_at}} timestamptz not null default now()
);
