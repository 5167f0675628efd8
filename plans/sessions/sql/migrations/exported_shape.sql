    select format('column %s.%I %s', a.attrelid::regclass, a.attname, format_type(a.atttypid, a.atttypmod)) as what
      from pg_catalog.pg_attribute a where a.attrelid in ($identifier${{sessions}}$identifier$::regclass, $identifier${{messages}}$identifier$::regclass)
       and a.attnum > 0 and not a.attisdropped
    union all
    select format('constraint %I of %s', c.conname, c.conrelid::regclass)
      from pg_catalog.pg_constraint c where c.conrelid in ($identifier${{sessions}}$identifier$::regclass, $identifier${{messages}}$identifier$::regclass)
       and c.contype <> 'n'
    union all
    select format('foreign key %I of %s', c.conname, c.conrelid::regclass)
      from pg_catalog.pg_constraint c where c.confrelid in ($identifier${{sessions}}$identifier$::regclass, $identifier${{messages}}$identifier$::regclass)
       and c.conrelid is distinct from to_regclass($identifier${{schema}}.message_feedback$identifier$)
    union all
    select format('index %s', i.indexrelid::regclass)
      from pg_catalog.pg_index i where i.indrelid in ($identifier${{sessions}}$identifier$::regclass, $identifier${{messages}}$identifier$::regclass)
    union all
    select format('trigger %I of %s', t.tgname, t.tgrelid::regclass)
      from pg_catalog.pg_trigger t where t.tgrelid in ($identifier${{sessions}}$identifier$::regclass, $identifier${{messages}}$identifier$::regclass)
       and not t.tgisinternal and t.tgname <> all (array['tandem_log', 'tandem_log_truncate'])
    union all
    select format('policy %I of %s', p.polname, p.polrelid::regclass)
      from pg_catalog.pg_policy p where p.polrelid in ($identifier${{sessions}}$identifier$::regclass, $identifier${{messages}}$identifier$::regclass)
    union all
    select format('publication %I with %s', p.pubname, r.prrelid::regclass)
      from pg_catalog.pg_publication_rel r join pg_catalog.pg_publication p on p.oid = r.prpubid
     where r.prrelid in ($identifier${{sessions}}$identifier$::regclass, $identifier${{messages}}$identifier$::regclass)
    union all
    select format('statistics %I of %s', s.stxname, s.stxrelid::regclass)
      from pg_catalog.pg_statistic_ext s where s.stxrelid in ($identifier${{sessions}}$identifier$::regclass, $identifier${{messages}}$identifier$::regclass)
