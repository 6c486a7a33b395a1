-- By hand: open until it is released, or closed with nothing counted.
local FORCE = ARG[11]

if FORCE == 'closed' then
  enter(CLOSED)
elseif record.s ~= FORCED then
  enter(FORCED)
end
save()
return answer(1)
