// What one would ask of DuckDB: the files as JSON, the last status of each message id.
// usage: node peer_duckdb.js THREADS FILE...   (NODE_PATH where @duckdb/node-api is)
// It reads one shape of bodies, unwraps nothing, and passes over what is no JSON.
const { DuckDBInstance } = require('@duckdb/node-api');

async function main() {
    const [threads, ...files] = process.argv.slice(2);
    if (files.length === 0)
        return; // only whether the module is there
    const instance = await DuckDBInstance.create(':memory:', { threads });
    const connection = await instance.connect();
    const list = files.map((f) => `'${f.replaceAll("'", "''")}'`).join(',');
    const reader = await connection.runAndReadAll(`
        SELECT count(*), sum(n) FROM (
            SELECT instance, coalesce(data ->> '$.key.id', data ->> '$.keyId', data ->> '$.id',
                                      data ->> '$.messageId') AS id,
                   max(coalesce(data ->> '$.update.status', data ->> '$.status')) AS status,
                   min(date_time) AS first, count(*) AS n
            FROM read_json([${list}], columns = {event: 'VARCHAR', instance: 'VARCHAR',
                           data: 'JSON', date_time: 'VARCHAR'}, format = 'newline_delimited',
                           ignore_errors = true, maximum_object_size = 268435456)
            WHERE lower(translate(event, '_-', '..')) = 'messages.update'
            GROUP BY 1, 2)`);
    console.log(reader.getRows().map(String).join('\n'));
}

main().catch((e) => {
    console.error(String(e));
    process.exit(1);
});
