export { createClient } from '@supabase/supabase-js';
export { createStore, StoreError } from 'pg-tandem/client';
