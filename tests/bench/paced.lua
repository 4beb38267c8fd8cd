-- SPDX-License-Identifier: Apache-2.0
-- Ask at a steady pace, and tell the 99.9th percentile. Arguments: milliseconds between a
-- connection's requests.
local pause = 10
local query = "cvm_salt=" .. string.rep("s", 64) .. "&cvm_hostid=" .. string.rep("h", 64)

init = function(args)
    pause = tonumber(args[1])
    math.randomseed(7)
end

delay = function()
    return math.random(0, 2 * pause)
end

request = function()
    return wrk.format("GET", string.format("/vmcp/m%d?%s", math.random(0, 9999), query))
end

done = function(summary, latency)
    local e = summary.errors
    print(string.format("failed %d p999_ms %.3f", e.connect + e.read + e.write + e.status + e.timeout,
                        latency:percentile(99.9) / 1000))
end
