-- finish ends a leased job with its report, after the last of its events.
-- KEYS: figures of the queue.
-- ARGV: 1-4 as every script of a queue; 5 id, 6 token, 7 verdict, 8 report, 9 mark of this call, 10 1
-- where it was sent before; 11, 12… an event's kind and data, each.
-- Returns: {'ok', record}; {'lost'}.
-- Several calls may share a run, see lib/many.lua.
-- uses: queue tell order job lease many
return many(function(ARGV)
  local id, verdict, call = ARGV[5], ARGV[7], ARGV[9]
  local r = load() and leased(id, ARGV[6])
  if not r then
    if ARGV[10] == '1' then
      local ended = record('ended', id)
      if ended and done(cmsgpack.unpack(ended), call) then return { 'ok', ended } end
    end
    return { 'lost' }
  end
  if ARGV[11] then unlock() end
  for i = 11, #ARGV, 2 do event(id, r, ARGV[i], ARGV[i + 1]) end
  mark(r, call)
  local to = verdict == 'cancelled' and r[R_CANCEL] == 1 and 'x' or 'c'
  local raw = finish(id, r, to, '', verdict, ARGV[8])
  save()
  return { 'ok', raw }
end)
