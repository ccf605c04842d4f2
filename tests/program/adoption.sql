INSERT INTO settings (external_id) VALUES ('settings');
INSERT INTO settings_user_groups (settings_id, value) VALUES ('settings', 'Buyers: all'), ('settings', 'no');
INSERT INTO settings_optional_fields (settings_id, value) VALUES ('settings', 'User.accounts');
INSERT INTO tags (external_id, name, status) VALUES ('vip', 'VIP: # yes', 'active'), ('old', ' ', 'inactive');
INSERT INTO stores (external_id, name) VALUES ('malmo', 'Malmö');
INSERT INTO custom_fields (external_id, applies_to, name, type) VALUES
  ('credit', 'user', 'Credit', 'number'), ('note', 'user', 'Note', 'text'), ('region', 'account', 'Region', 'text');
INSERT INTO accounts (external_id, name, status, blocked, effective_from, effective_until) VALUES
  ('gone', 'Gone', 'inactive', NULL, NULL, NULL),
  ('stopped', 'Stopped', 'active', '2024-01-01T00:00:00Z', NULL, NULL),
  ('over', 'Over', 'inactive', NULL, '2020-01-01T00:00:00Z', '2021-01-01T00:00:00Z'),
  ('future', 'Future', 'inactive', NULL, '2099-01-01T00:00:00Z', NULL),
  ('now', 'Now', 'active', NULL, '2020-01-01T00:00:00Z', '2099-12-31T22:00:00Z');
UPDATE accounts SET custom_fields = '{"region":"north: \"#1\" ~"}' WHERE external_id = 'a/b';
INSERT INTO account_tags (account_id, tag_id) VALUES ('acme', 'vip'), ('Acme', 'old');
INSERT INTO addresses (external_id, full_name, street, city, zip_code, country, phone) VALUES
  ('of-acme', 'Acme: AB', 'Storgatan 1 #2', 'Åre', '00123', 'SE', '070-123 45 67'),
  ('shared', 'Hub', 'Hamngatan 1', 'Malmö', '211 20', 'SE', NULL),
  ('nobodys', 'Nobody', 'Nowhere 1', 'Lund', '1', 'SE', NULL);
INSERT INTO account_addresses (account_id, address_id, shipping) VALUES ('acme', 'of-acme', FALSE);
INSERT INTO account_addresses (account_id, address_id) VALUES ('acme', 'shared'), ('a/b', 'shared');
INSERT INTO organisations (external_id, name, account_id, parent_id, status) VALUES
  ('team', 'Team', 'acme', NULL, 'active'), ('sub/team', 'Sub', 'acme', 'team', 'inactive');
INSERT INTO users (external_id, civility, first_name, last_name, email, phone, status, blocked, custom_fields) VALUES
  ('admin', 'MRS', 'No', 'O''Neil: #', 'Admin@X.example', '+46 70-123 45 67', 'active', NULL, '{"credit":1250.5,"note":"yes"}'),
  ('blocked', 'MR', 'true', '007', 'blocked@x.example', '+4670', 'active', '2024-01-01T00:00:00Z', '{}'),
  ('left', 'MR', '~', 'Left', NULL, NULL, 'inactive', NULL, '{}'),
  ('several', 'MR', 'Eva', 'Lind', 'several@x.example', '+4671', 'active', NULL, '{}'),
  ('later', 'MR', 'Lars', 'Berg', 'later@x.example', '+4672', 'active', NULL, '{}'),
  ('staff', 'MR', 'Ines', 'Staff', 'staff@x.example', '+4673', 'active', NULL, '{}'),
  ('of-long', 'MR', 'Long', 'Id', 'long@x.example', '+4674', 'active', NULL, '{}'),
  ('Case', 'MR', 'C', 'C', 'case1@x.example', '+4675', 'active', NULL, '{}'),
  ('case', 'MR', 'c', 'c', 'case2@x.example', '+4676', 'active', NULL, '{}');
INSERT INTO user_accounts (user_id, account_id, level) VALUES
  ('admin', 'acme', 'administrator'), ('blocked', 'acme', 'user'), ('left', 'gone', 'user'),
  ('several', 'acme', 'user'), ('several', 'a/b', 'administrator'), ('later', 'acme', 'user'),
  ('Case', 'Acme', 'user'), ('case', 'ACME', 'user');
INSERT INTO user_dated_links (user_id, value) VALUES ('later', 'from 2099-01-01T00:00:00Z accounts administrator a/b');
INSERT INTO user_groups (user_id, value) VALUES ('admin', 'Buyers: all'), ('admin', 'no'), ('several', 'no');
INSERT INTO user_organisations (user_id, organisation_id) VALUES ('admin', 'team'), ('admin', 'sub/team');
INSERT INTO user_stores (user_id, store_id) VALUES ('admin', 'malmo');
INSERT INTO policies (external_id, name, message, account_id) VALUES ('buy', 'Purchases', 'first: #', 'acme');
INSERT INTO policy_reviewed (policy_id, user_id) VALUES ('buy', 'blocked');
INSERT INTO policy_approvers (policy_id, user_id) VALUES ('buy', 'admin');
