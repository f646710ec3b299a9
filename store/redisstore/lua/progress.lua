-- progress appends events to the stream of a leased job.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 id, 6 token, 7 mark of this call, 8 1 where it was sent
-- before; 9, 10… an event's kind and data, each.
-- Returns: {'ok'}; {'lost'}.
-- Several calls may share a run, see lib/many.lua.
-- uses: queue tell order job lease many
return many(function(ARGV)
  local id, call = ARGV[5], ARGV[7]
  local r = load() and leased(id, ARGV[6])
  if not r then return { 'lost' } end
  if ARGV[8] == '1' and done(r, call) then return { 'ok' } end
  for i = 9, #ARGV, 2 do event(id, r, ARGV[i], ARGV[i + 1]) end
  mark(r, call)
  put(id, r)
  save()
  return { 'ok' }
end)
