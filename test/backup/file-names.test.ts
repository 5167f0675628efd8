import { expect, test } from 'vitest';
import { backupFileNames } from '../../src/backup/file-names.ts';
import { named } from './fixtures.ts';

test('a file is named after its table', () => {
  expect(backupFileNames([named('sessions'), named('messages')], false)).toEqual([
    'sessions_backup.csv',
    'messages_backup.csv',
  ]);
  expect(backupFileNames([named('sessions')], true)).toEqual(['sessions_backup.csv.gz']);
});

test('the schema stands before a name that occurs twice, and before no other', () => {
  const tables = [named('users'), { schema: 'auth', name: 'users' }, named('sessions')];
  expect(backupFileNames(tables, false)).toEqual([
    'public.users_backup.csv',
    'auth.users_backup.csv',
    'sessions_backup.csv',
  ]);
});

test('no name leads out of the directory or hides in it', () => {
  expect(backupFileNames([named('../etc/passwd'), named('.x'), named('a\\b:c'), named('größe')], false)).toEqual([
    '%2E.%2Fetc%2Fpasswd_backup.csv',
    '%2Ex_backup.csv',
    'a%5Cb%3Ac_backup.csv',
    'größe_backup.csv',
  ]);
});

test('two tables never share a file, not even where the file system ignores case', () => {
  expect(() => backupFileNames([named('Users'), named('users')], false)).toThrow(/share its file/);
});
