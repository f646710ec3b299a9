-- delete forgets a job that has ended.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 id.
-- Returns: {'ok', record}; {'unfinished', record}; {'missing'}.
-- uses: queue tell order job lease
local id = ARGV[5]
if not load() then return { 'missing' } end
local r, where = find(id)
if not r then return { 'missing' } end
if where == 'unfinished' then return { where, cmsgpack.pack(r) } end
forget(id, r)
write()
flush()
return { 'ok', cmsgpack.pack(r) }
