import json,sys,numpy as np
for n in sys.argv[1:]:
    r=json.load(open(f"/tmp/flow16/runs/{n}/new/evaluation.json"))["rows"][0]["per_case"]
    print(n,{k:(round(float(np.mean(r[k])),5),round(float(np.median(r[k])),5)) for k in ("vrmse_1","vrmse_6_12","vrmse_13_30","nmse_1","nmse_20","correlation_periods","divergence_ratio")})
