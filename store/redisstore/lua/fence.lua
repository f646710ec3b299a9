-- fence has a queue's jobs changed only by scripts that know a schema.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 the schema, 6 the tenants' running limit for a new queue.
-- Returns: {'ok'}.
-- uses: queue
local found = load()
if not found then fresh(tonumber(ARGV[6])) end
if not found or least(F) < tonumber(ARGV[5]) then
  unlock()
  F[#F] = struct.pack('>d', ARGV[5]) .. string.sub(F[#F], 9)
  write()
end
return { 'ok' }
