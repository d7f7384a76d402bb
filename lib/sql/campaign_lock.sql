-- Locks campaigns in the order of their ids. NO KEY: a log row that refers to
-- the campaign can be inserted meanwhile.
-- In psql: \set campaigns public.campaigns_campaign
--          "PREPARE q(uuid[]) AS", this file, then EXECUTE q('{...}');
SELECT id
FROM :campaigns
WHERE id = ANY ($1)
ORDER BY id
FOR NO KEY UPDATE
