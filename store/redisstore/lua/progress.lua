-- progress appends events to the stream of a leased job.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; of each call 1 id, 2 token, 3 mark of this call, 4 1 where it was sent
-- before; 5, 6… an event's kind and data, each.
-- Returns: {'ok'}; {'lost'}.
-- Several calls may share a run, see lib/many.lua.
-- uses: queue tell order job lease many
prefetch(1)

return many(0, function(own)
  local id, call = own[1], own[3]
  local r = load() and leased(id, own[2])
  if not r then return { 'lost' } end
  if own[4] == '1' and done(r, call) then return { 'ok' } end
  for i = 5, #own, 2 do event(id, r, own[i], own[i + 1]) end
  mark(r, call)
  put(id, r)
  save()
  return { 'ok' }
end)
