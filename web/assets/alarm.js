// A worker that does nothing but ring: see clock.js for why.
onmessage = ({ data: { id, ms } }) => setTimeout(() => postMessage(id), ms);
