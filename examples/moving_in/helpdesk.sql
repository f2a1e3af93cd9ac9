-- Another system, as a small SQLite database: a help desk with numbers for ids and Unix time.
CREATE TABLE articles (id INTEGER PRIMARY KEY, title TEXT, body TEXT, locale TEXT, published INTEGER, created INTEGER);
CREATE TABLE tickets (id INTEGER PRIMARY KEY, customer TEXT, subject TEXT, state TEXT, opened INTEGER, closed INTEGER);
CREATE TABLE replies (id INTEGER PRIMARY KEY, ticket_id INTEGER, is_customer INTEGER, text TEXT, stars INTEGER, at INTEGER);
INSERT INTO articles VALUES
    (1, 'Opening hours', 'We are open from nine to five.', 'en', 1, 1760000000),
    (2, 'Openingstijden', 'Wij zijn open van negen tot vijf.', 'nl', 0, 1760000100);
INSERT INTO tickets VALUES
    (4711, 'jane@example.com', 'When do you open?', 'solved', 1763000000, 1763003600),
    (4712, 'joe@example.com', 'It''s broken', 'new', 1763100000, NULL);
INSERT INTO replies VALUES
    (1, 4711, 1, 'When do you open?', NULL, 1763000000),
    (2, 4711, 0, 'At nine.', 5, 1763000060),
    (3, 4712, 1, 'It''s broken, and "nothing" helps.', NULL, 1763100000);
