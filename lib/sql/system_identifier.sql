-- Which cluster this is: given at initdb, kept by its physical copies.
SELECT system_identifier::text
FROM pg_control_system()
