INSERT INTO users (external_id, civility, first_name, last_name, email, phone) VALUES
  ('bad-mail', 'MR', 'A', 'B', 'nobody at all', '+4680'), ('two words', 'MR', 'A', 'B', 'two@x.example', '+4681'),
  ('bad-level', 'MR', 'A', 'B', 'level@x.example', '+4682'), ('bad-credit', 'MR', ' A ', 'B', 'credit@x.example', '+4683'),
  ('ended', 'MR', 'A', 'B', 'ended@x.example', '+4684'), ('ended-link', 'MR', 'A', 'B', 'link@x.example', '+4685'),
  ('shut', 'MR', 'A', 'B', 'shut@x.example', '+4686');
UPDATE users SET custom_fields = '{"credit":"a lot","unknown":5,"note":["x"]}' WHERE external_id = 'bad-credit';
UPDATE users SET effective_until = '2020-01-01T00:00:00Z' WHERE external_id = 'ended';
UPDATE users SET effective_until = 'last year', status = 'inactive' WHERE external_id = 'shut';
UPDATE accounts SET effective_until = '2031-01-01' WHERE external_id = '007';
INSERT INTO accounts (external_id, name, effective_until) VALUES ('day', 'Day', '2031-01-01');
INSERT INTO user_accounts (user_id, account_id, level) VALUES
  ('bad-mail', 'acme', 'user'), ('two words', 'acme', 'user'), ('bad-level', 'acme', 'chief'),
  ('bad-credit', 'acme', 'user'), ('ended', 'acme', 'user'), ('ended-link', 'acme', 'user'), ('shut', 'acme', 'user');
INSERT INTO user_dated_links (user_id, value) VALUES ('ended-link', 'until 2020-01-01T00:00:00Z accounts user acme');
INSERT INTO user_groups (user_id, value) VALUES ('bad-mail', ''), ('bad-mail', 'a, b');
INSERT INTO addresses (external_id, full_name, street, city, zip_code, country) VALUES ('bad-land', 'X', 'S', 'C', '1', 'Sweden');
INSERT INTO account_addresses (account_id, address_id) VALUES ('acme', 'bad-land');
INSERT INTO policies (external_id, name) VALUES ('loose', 'Loose');
UPDATE users SET custom_fields = '{"note":""}' WHERE external_id = 'bad-level';
INSERT INTO addresses (external_id, full_name, street, city, zip_code, country) VALUES (' bad id', 'X', 'S', 'C', '1', 'SE');
INSERT INTO account_addresses (account_id, address_id) VALUES ('stopped', ' bad id'), ('stopped', 'of-acme');
INSERT INTO terms (external_id, title, file, file_sha256) VALUES
  ('gone-text', 'Gone', 'terms/gone.pdf', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'),
  ('no-text', 'None', NULL, NULL), ('no-hash', 'Path', '../x', NULL), ('no-file', 'Hash', NULL, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
