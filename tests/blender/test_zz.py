import shutil, json
from tests.blender.spot import dense_spot, neural_spot
def test_mat(windowed_blender):
    places = {**neural_spot(windowed_blender.folder), **dense_spot(windowed_blender.folder)}
    o = windowed_blender.run_script("solid_pictures.py", {**places, "shots": {"material": {"shading": "MATERIAL"}, "matcap": {"light": "MATCAP"}}, "variants": ["neural", "dense"]}, window=True, timeout_s=400).check()
    print({k: v for k, v in o.result.items() if k != "draw_ms"}); print(o.stderr[-1500:])
    x,y,w,h=o.result["region"]
    from PIL import Image
    ims=[]
    for n in ("material_neural","material_dense","matcap_neural","matcap_dense"):
        im=Image.open(o.folder/f"{n}.png"); H=im.size[1]; ims.append(im.crop((x,H-y-h,x+w,H-y)).convert("RGB"))
    W=Image.new("RGB",(2*w,2*h))
    for i,im in enumerate(ims): W.paste(im,((i%2)*w,(i//2)*h))
    W.save(f"/tmp/mat_{windowed_blender.name}.png")
