export { createStore, StoreError } from 'pg-tandem/client';
