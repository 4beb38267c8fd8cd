-- SPDX-License-Identifier: Apache-2.0
-- Ask for machines m0 to m999 in random order, always the same one.
math.randomseed(7)
request = function()
    return wrk.format("GET", string.format("/vmcp/m%d?%s", math.random(0, 999), query))
end
query = "cvm_salt=" .. string.rep("s", 64) .. "&cvm_hostid=" .. string.rep("h", 64)
