-- How each language is read by the search: accents off first, then the stemmer of the language. The stemmers alone want
-- every accent typed, and few people who search do.

do $do$
declare
  accents text;
  configuration record;
begin
  if not exists (select from pg_catalog.pg_extension where extname = 'unaccent') then
    begin
      -- Supabase keeps extensions in a schema of their own.
      execute format('create extension unaccent schema %I',
        case when to_regnamespace('extensions') is null then 'private' else 'extensions' end);
    exception
      when insufficient_privilege or feature_not_supported or undefined_file then
        raise warning 'unaccent cannot be installed (%): words are found only with the accents that they are written with', sqlerrm
          using hint = 'Afterwards: CREATE EXTENSION unaccent, and docs/search.md says how messages come by it.';
    end;
  end if;

  -- The dictionary wherever the extension stands; it only filters, and hands its word on to the next one.
  select d.oid::regdictionary || ', ' into accents
    from pg_catalog.pg_extension e
    join pg_catalog.pg_depend part on part.refclassid = 'pg_catalog.pg_extension'::regclass and part.refobjid = e.oid
                                  and part.classid = 'pg_catalog.pg_ts_dict'::regclass and part.deptype = 'e'
    join pg_catalog.pg_ts_dict d on d.oid = part.objid
   where e.extname = 'unaccent';

  for configuration in
    select * from (values ('search_en', 'english'), ('search_es', 'spanish'), ('search_fr', 'french'), ('search_de', 'german'))
      as configurations (name, language)
  loop
    continue when exists (select from pg_catalog.pg_ts_config
                           where cfgname = configuration.name and cfgnamespace = 'private'::regnamespace);
    execute format('create text search configuration private.%I (copy = pg_catalog.%I)', configuration.name, configuration.language);
    execute format('alter text search configuration private.%I alter mapping for hword, hword_part, word with %s pg_catalog.%I',
      configuration.name, coalesce(accents, ''), configuration.language || '_stem');
    execute format('comment on text search configuration private.%I is %L', configuration.name,
      format('Accents off, then the stemmer for %s.', initcap(configuration.language)));
  end loop;

  if not exists (select from pg_catalog.pg_ts_config where cfgname = 'search_words' and cfgnamespace = 'private'::regnamespace) then
    create text search configuration private.search_words (parser = pg_catalog.default);
    execute format('alter text search configuration private.search_words add mapping for asciiword, word, hword_asciipart, hword_part with %s pg_catalog.simple',
      coalesce(accents, ''));
    comment on text search configuration private.search_words is 'Words as they are written, without accents: no numbers, no addresses.';
  end if;
end
$do$;
