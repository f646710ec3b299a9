-- Several calls of one script at once: behind the arguments that they share stand how many calls they are,
-- and for each how many arguments it has of its own, and these. What they share is read and written once.
local saved = false

-- save notes that the figures have changed; they are written when all is done.
local function save() saved = true end

-- own gives a call's n arguments behind a place; few are taken at once, which is quicker.
local function own(at, n)
  if n <= MAX_ARGUMENTS then return { unpack(ARGV, at + 1, at + n) } end
  local all = {}
  for k = 1, n do all[k] = ARGV[at + k] end
  return all
end

-- prefetch reads the records of the unfinished jobs that the calls name as one of their own arguments.
local function prefetch(which)
  local ids, at = {}, 6
  for i = 1, tonumber(ARGV[5]) do
    ids[i] = ARGV[at + which]
    at = at + 1 + tonumber(ARGV[at])
  end
  for i, raw in ipairs(redis.call('HMGET', T .. 'unfinished', unpack(ids))) do read[ids[i]] = raw end
end

-- many runs each call with its own arguments. more is how many arguments they share besides the four that all
-- scripts have. One that fails leaves the others alone. last, where given, is done before all is written.
local function many(more, one, last)
  local answers, at = {}, more + 6
  for i = 1, tonumber(ARGV[more + 5]) do
    local n = tonumber(ARGV[at])
    local ok, answer = pcall(one, own(at, n))
    answers[i] = ok and answer or { 'error', type(answer) == 'table' and answer.err or tostring(answer) }
    at = at + n + 1
  end
  if saved then
    if last then last() end
    saveshares()
    write()
    flush()
  end
  return answers
end
