-- Undoes embedding.sql. In one transaction with the swap back: PostgREST hears of it when the flat tables, and the foreign
-- key between them, are there again.

drop function if exists {{messages}}({{sessions}}), {{sessions}}({{messages}});

notify pgrst, 'reload schema';
