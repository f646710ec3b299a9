-- finish ends a leased job with its report, after the last of its events.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; of each call 1 id, 2 token, 3 verdict, 4 report, 5 mark of this call, 6 1
-- where it was sent before, 7 1 where the record is asked for; 8, 9… an event's kind and data, each.
-- Returns: {'ok', record where it is asked for}; {'lost'}.
-- Several calls may share a run, see lib/many.lua.
-- uses: queue tell order job lease many
prefetch(1)

return many(0, function(own)
  local id, verdict, call = own[1], own[3], own[5]
  local r = load() and leased(id, own[2])
  if not r then
    if own[6] == '1' then
      local ended = record('ended', id)
      if ended and done(cmsgpack.unpack(ended), call) then return { 'ok', own[7] == '1' and ended } end
    end
    return { 'lost' }
  end
  if own[8] then unlock() end
  for i = 8, #own, 2 do event(id, r, own[i], own[i + 1]) end
  mark(r, call)
  local to = verdict == 'cancelled' and r[R_CANCEL] == 1 and 'x' or 'c'
  local raw = finish(id, r, to, '', verdict, own[4])
  save()
  return { 'ok', own[7] == '1' and raw }
end)
