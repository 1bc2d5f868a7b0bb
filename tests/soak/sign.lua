-- For wrk: messages that all differ, each named by the id of its request, so that an answer says
-- which one it signs; statuses counted, and one signature in many kept to be verified.

local threads = {}

function setup(thread)
  thread:set("number", #threads)
  table.insert(threads, thread)
end

function init()
  counts, sent, signed, without_retry = {}, 0, 0, 0
  every = tonumber(os.getenv("SOAK_EVERY"))
  samples = io.open(os.getenv("SOAK_DIR") .. "/samples-" .. number, "a")
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
  wrk.headers["Authorization"] = "Bearer " .. os.getenv("SOAK_SECRET")
end

function request()
  sent = sent + 1
  -- Sixteen hexadecimal digits are also base64.
  local message = string.format("%04x%012x", number, sent)
  wrk.headers["X-Request-Id"] = message
  return wrk.format(nil, nil, nil, '{"algorithm":"ES256","encoding":"der","message":"' .. message .. '"}')
end

function response(status, headers, body)
  counts[tostring(status)] = (counts[tostring(status)] or 0) + 1
  if status == 200 then
    signed = signed + 1
    if signed % every == 0 then
      samples:write(headers["x-request-id"], " ", body:match('"signature":"([^"]+)"') or "-", "\n")
    end
  elseif status == 503 and not headers["retry-after"] then
    without_retry = without_retry + 1
  end
end

function done(summary, latency)
  local totals, lost = {}, 0
  for _, thread in ipairs(threads) do
    for status, count in pairs(thread:get("counts")) do
      totals[status] = (totals[status] or 0) + count
    end
    lost = lost + thread:get("without_retry")
  end
  local parts = {}
  for status, count in pairs(totals) do
    table.insert(parts, '"' .. status .. '":' .. count)
  end
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format('saw {"statuses":{%s},"withoutRetryAfter":%d,"socketErrors":%d,"p50us":%d,"p99us":%d}\n',
    table.concat(parts, ","), lost, errors, latency:percentile(50), latency:percentile(99)))
end
